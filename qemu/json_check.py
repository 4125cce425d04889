#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""json_check.py VERB...: whether the document on stdin is what lcpfs.schema.json says that verb of lcpfs(8) prints with --json.

By Debian's python3-jsonschema, which is why it is a program of its own: whatever else `python3` is here. Exit 0, or 1 and a line why.
"""

import json
import sys
from pathlib import Path

import jsonschema

SCHEMA = Path(__file__).resolve().parent.parent / "userspace" / "system" / "lcpfs.schema.json"


def main():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema({key: value for key, value in schema.items() if key != "verbs"})
    words = " ".join(sys.argv[1:]).split()
    verb = next((name for count in range(len(words), 0, -1) if (name := " ".join(words[:count])) in schema["verbs"]), None)
    if verb is None:
        print(f"{' '.join(words)}: the schema does not know this verb")
        return 1
    try:
        document = json.load(sys.stdin)
        jsonschema.Draft202012Validator({"$defs": schema["$defs"], **schema["verbs"][verb]}).validate(document)
    except json.JSONDecodeError as error:
        print(f"lcpfs {verb} --json: no JSON: {error}")
        return 1
    except jsonschema.ValidationError as error:
        print(f"lcpfs {verb} --json: {error.json_path}: {error.message}")
        return 1
    return 0


sys.exit(main())
