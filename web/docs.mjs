// Writes docs/api-reference.md from the exported types: node docs.mjs [--check]. With --check nothing is written: it fails where the
// page is not what the types give, and, as always, where a name has no description or a type is used but not exported.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Application, LogLevel } from 'typedoc';

const here = fileURLToPath(new URL('.', import.meta.url));
const page = fileURLToPath(new URL('../docs/api-reference.md', import.meta.url));

const INTRODUCTION = `# API reference of wisp-llm

Written by \`node web/docs.mjs\` from the comments of \`web/src/\`; a test holds it to them. [The guide](browser-guide.md) is the way through it.
Sizes are bytes, times milliseconds and positions tokens unless something else is said.
`;

/** @returns {Promise<{text: string, complaints: number}>} */
async function generate() {
  const folder = await mkdtemp(join(tmpdir(), 'wisp-api-'));
  try {
    const app = await Application.bootstrapWithPlugins({
      plugin: ['typedoc-plugin-markdown'],
      entryPoints: [`${here}src/index.ts`],
      tsconfig: `${here}tsconfig.types.json`,
      basePath: here,
      readme: 'none',
      outputs: [{ name: 'markdown', path: folder }],
      disableSources: true,
      excludePrivate: true,
      excludeProtected: true,
      excludeInternal: true,
      excludeExternals: true,
      categorizeByGroup: false,
      categoryOrder: ['Loading', 'Chat', 'Text', 'Sampling', 'Embeddings', 'Models that are kept', 'Looking inside', 'Errors'],
      sort: ['static-first', 'kind', 'source-order'],
      logLevel: LogLevel.Warn,
      validation: { notExported: true, notDocumented: true, invalidLink: true },
      requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias', 'Function', 'Method', 'Parameter', 'Property', 'Accessor', 'Variable', 'Enum', 'EnumMember'],
      // What the page looks like.
      outputFileStrategy: 'modules',
      entryFileName: 'api',
      hidePageHeader: true,
      hidePageTitle: true,
      hideBreadcrumbs: true,
      hideGroupHeadings: true,
      useCodeBlocks: true,
      expandObjects: true,
      expandParameters: true,
      interfacePropertiesFormat: 'table',
      classPropertiesFormat: 'table',
      typeDeclarationFormat: 'table',
      propertyMembersFormat: 'table',
      parametersFormat: 'table',
      tableColumnSettings: { hideDefaults: true, hideInherited: true, hideModifiers: true, hideOverrides: true, hideSources: true },
    });
    const project = await app.convert();
    if (!project) throw new Error('the types do not compile');
    app.validate(project);
    await app.generateOutputs(project);
    const text = await readFile(join(folder, 'api.md'), 'utf8');
    return { text, complaints: app.logger.warningCount + app.logger.errorCount };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Without what tells a reader nothing: where a member is inherited from, a type that the line above has, lines between sections. */
function shortened(text) {
  return text
    .replace(/^#+ (Inherited from|Overrides|Extends|Implements|Implementation of|Extended by)\n\n.+\n+/gm, '')
    .replace(/^#+ Returns\n\n.+\n\n(?=#|\*\*\*|$(?![\s\S]))/gm, '')
    .replace(/^#+ (Properties|Methods)\n\n/gm, '')
    .replace(/^#+ Parameters\n\n/gm, '')
    .replace(/^#(##### Returns|#### .+\(\))$/gm, '$1')
    .replace(/^\*\*\*\n\n/gm, '')
    .replace(/<a id="[^"]*"><\/a> /g, '');
}

const { text, complaints } = await generate();
const made = `${INTRODUCTION}\n${shortened(text.trim())}\n`;
if (complaints > 0) {
  console.error(`${complaints} complaints about the types`);
  process.exitCode = 1;
}
if (!process.argv.includes('--check')) {
  await writeFile(page, made);
} else if (await readFile(page, 'utf8').catch(() => '') !== made) {
  console.error('docs/api-reference.md is not what the types say: run node web/docs.mjs');
  process.exitCode = 1;
}
