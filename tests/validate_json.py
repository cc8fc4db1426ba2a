"""Validates texts against JSON schemas: a line of the file is {"schema": ..., "text": "..."}; says which ones fail."""
import json
import sys

import jsonschema


def main() -> int:
    failures = 0
    validator = jsonschema.Draft202012Validator
    # Debian 12's version keeps it elsewhere.
    formats = getattr(validator, "FORMAT_CHECKER", None) or jsonschema.draft202012_format_checker
    validators = {}  # by the schema's text: checking one takes longer than a validation
    with open(sys.argv[1], encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            case = json.loads(line)
            known = json.dumps(case["schema"])
            if known not in validators:
                validator.check_schema(case["schema"])
                validators[known] = validator(case["schema"], format_checker=formats)
            try:
                value = json.loads(case["text"])
                validators[known].validate(value)
            except (ValueError, jsonschema.ValidationError) as error:
                failures += 1
                reason = str(error).splitlines()[0]
                print(f"{number}: {reason}\n  schema {json.dumps(case['schema'])}\n  text {case['text']!r}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
