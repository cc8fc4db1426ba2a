#!/usr/bin/env python3
"""Adds up what the test programs reported and closes with one line: 'N passed, N failed, N skipped'.

usage: totals.py FOLDER

FOLDER holds, for each stage of a test run, the reports STAGE-N.xml (JUnit's form, as GoogleTest and the wasm harness
write it) and, where a stage could not be built or died, STAGE.failed with the reason. A stage whose reports hold no
test at all has tested nothing, and counts as a failure. Exits with 1 unless everything passed or was skipped.
"""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree


def read_stages(folder):
    """Yields (stage, status, name, reason) for each test; status is 'passed', 'failed' or 'skipped'."""
    ran = collections.Counter()
    for report in sorted(folder.glob("*.xml")):
        stage = re.sub(r"-\d+$", "", report.stem)
        ran[stage] += 0
        try:
            root = xml.etree.ElementTree.parse(report).getroot()
        except xml.etree.ElementTree.ParseError as error:
            yield stage, "failed", report.name, f"the report is cut off: {error}"
            continue
        for case in root.iter("testcase"):
            if case.get("status") == "notrun":  # another shard's, or disabled
                continue
            ran[stage] += 1
            name = f"{case.get('classname')}.{case.get('name')}"
            failure, skipped = case.find("failure"), case.find("skipped")
            if failure is not None:
                yield stage, "failed", name, failure.get("message") or "failed"
            elif skipped is not None or case.get("result") == "skipped":
                message = "" if skipped is None else skipped.get("message") or ""
                yield stage, "skipped", name, message.strip().splitlines()[-1] if message.strip() else "no reason given"
            else:
                yield stage, "passed", name, ""
    for note in sorted(folder.glob("*.failed")):
        ran[note.stem] += 1
        yield note.stem, "failed", "(the whole stage)", note.read_text().strip()
    for stage, tests in sorted(ran.items()):
        if tests == 0:
            yield stage, "failed", "(the whole stage)", "no test ran"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    totals = collections.Counter()
    by_stage = collections.defaultdict(collections.Counter)
    failures = []
    skips = collections.Counter()
    for stage, status, name, reason in read_stages(pathlib.Path(sys.argv[1])):
        totals[status] += 1
        by_stage[stage][status] += 1
        if status == "failed":
            failures.append(f"  {stage}: {name}: {' '.join(reason.split())[:200]}")
        elif status == "skipped":
            skips[stage, reason] += 1

    for (stage, reason), count in sorted(skips.items()):
        print(f"skipped in {stage}, {count}: {reason}")
    if failures:
        print("failed:", *failures, sep="\n")
    for stage, counts in sorted(by_stage.items()):
        print(f"{stage:>14}: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())))
    if not totals:
        totals["failed"] = 1
        print("no test program left a report")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    sys.exit(1 if totals["failed"] else 0)


if __name__ == "__main__":
    main()
