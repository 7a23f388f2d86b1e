"""text-dedup's MinHash over JSON lines, with given bands and rows; runs in its own environment. Its clusters as pairs of keys.

python text_dedup_minhash.py in.jsonl pairs.json 12 9
"""

import json
import sys
import tempfile

from text_dedup import minhash

if __name__ == "__main__":
    lines, target, bands, rows = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--path", "json", "--data_files", lines, "--split", "train", "--output", f"{folder}/out", "--cache_dir", folder]
        arguments += ["--column", "text", "--num_perm", "112", "--ngram", "5", "--min_length", "5", "--num_proc", "2"]
        arguments += ["--b", bands, "--r", rows, "--hash_func", "xxh3", "--hash_bits", "32"]
        minhash.main(arguments, standalone_mode=False)
    with open(lines) as stream:
        keys = [json.loads(line)["id"] for line in stream]
    pairs = [(keys[at], keys[root]) for at in list(minhash.uf.parent) if (root := minhash.uf.find(at)) != at]
    with open(target, "w") as out:
        json.dump([sorted(pair) for pair in pairs], out)
