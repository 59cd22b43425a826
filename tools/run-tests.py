#!/usr/bin/env python3
"""run-tests.py BUILD [ctest arguments]: runs the tests of a build folder, names what was skipped and
closes with "N passed, N failed, N skipped". A cmocka executable counts case by case, any other test
as one."""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

build, arguments = sys.argv[1], sys.argv[2:]
result = os.path.join(build, "result.xml")
if os.path.exists(result):
    os.remove(result)
# Threads of several tests share the processors: they must not spin while they wait.
environment = dict(os.environ, OMP_WAIT_POLICY="passive")
status = subprocess.run(["ctest", "--test-dir", build, "-j", str(os.cpu_count()), "--no-tests=error",
                         "--output-on-failure", "--output-junit", "result.xml",
                         *arguments], env=environment).returncode

passed = failed = skipped = 0
notes = []
# The log holds all output but writes "Passed" for a skipped test; the XML knows which those are.
cases = xml.parse(result).iter("testcase") if os.path.exists(result) else []
absent = {t.get("name") for t in cases if t.find("skipped") is not None}
log = open(os.path.join(build, "Testing/Temporary/LastTest.log"), errors="replace").read()
for block in re.split(r"(?m)^\d+/\d+ Testing: ", log)[1:]:
    name = block.split("\n", 1)[0]
    case = {word: set(re.findall(r"(?m)^\[ +%s +\] (\w+)$" % word, block))
            for word in ("OK", "FAILED", "SKIPPED")}
    if name in absent:
        skipped += 1
        reason = re.findall(r"(?m)^SKIPPED .*", block)
        notes += reason or ["SKIPPED " + name]
        continue
    notes += ["SKIPPED %s in %s" % (c, name) for c in sorted(case["SKIPPED"])]
    skipped += len(case["SKIPPED"])
    if re.search(r"(?m)^Test Passed\.$", block):
        passed += len(case["OK"]) or (not case["SKIPPED"])
    else:
        passed += len(case["OK"])
        failed += len(case["FAILED"]) or 1
        notes.append("FAILED " + name)

if status and not failed:
    failed = 1          # ctest itself could not start a test, or found none
print()
print("\n".join(notes))
print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
sys.exit(1 if status or failed else 0)
