"""The picture of the report that README shows: `make picture`.

python -m tests.picture build/demo/corpus/report.html notebooks/report.png
"""

import io
import sys
from pathlib import Path

from PIL import Image

from tests.browser import browser

WIDTH, HEIGHT = 1100, 1000
COLOURS = 64  # a page of few colours: 64 look the same and keep the file near 100 kB


def main(page: Path, picture: Path) -> None:
    with browser(WIDTH, HEIGHT) as driver:
        driver.get(page.resolve().as_uri())
        taken = Image.open(io.BytesIO(driver.get_screenshot_as_png()))
    taken.convert("RGB").quantize(COLOURS).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
