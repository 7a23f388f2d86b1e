"""The columns of what the scanner of pages writes, and the state of its walk, by name: what ``markup`` and its readers share.

page.blocks[:, UNITS]   # the length of every block
"""

import numpy as np

# Columns of an element's row. The five pairs at the end are bytes of the page: class, id, role, itemprop, data-testid.
PARENT, TAG, DEPTH, HIDDEN, FIRST_BLOCK, SPAN = range(6)
NODE_COLUMNS = SPAN + 10
# Columns of a block's row. Units: characters, those of Han, Kana and Hangul counted twice.
START, END, NODE, UNITS, LINK_UNITS, LINKS, BOLD_UNITS, BREAKS, INLINE = range(9)
BLOCK_COLUMNS = 9
# What the head and rights are read from: kind, start and end in bytes of the page.
MARK_TITLE, MARK_META, MARK_LINK, MARK_HTML, MARK_LICENSE, MARK_TIME, MARK_JSON = range(7)

MARKS_KEPT = np.array([1, 500, 500, 3, 3, 1, 5])  # of each kind; pages with more are generated to have them

# State of the walk, by index, so that small kernels can share it.
S_OUT, S_BLOCKS, S_PENDING, S_UNITS, S_LINK_UNITS, S_LINKS, S_BOLD, S_BREAKS, S_START, S_INLINE = range(10)
S_DEPTH, S_NODES, S_HIDE_AT, S_PRE, S_IN_A, S_IN_B, S_BOX, S_OVER, S_MARKS, S_LINE, S_TEMPLATE, S_KINDS = range(10, 22)
S_SCRIPTLESS = S_KINDS + len(MARKS_KEPT)  # what stands in noscript is read
STATE = S_SCRIPTLESS + 1
