// The checks under Node: node web/harness/node.mjs [--report FILE.xml]
import { runChecks } from './checks.mjs';
import { host } from './host.node.mjs';
import { finish } from './report.mjs';

finish(await runChecks(host));
