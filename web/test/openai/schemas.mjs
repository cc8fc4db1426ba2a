// The answers that the `openai` package declares, as JSON schemas, on stdout: what of them has to be there, and of which type.
import { fileURLToPath } from 'node:url';

import { createGenerator } from 'ts-json-schema-generator';

const TYPES = ['ChatCompletion', 'ChatCompletionChunk', 'Completion', 'CreateEmbeddingResponse'];
const path = fileURLToPath(new URL('./declared.ts', import.meta.url));
const generator = createGenerator({
  path, tsconfig: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)), skipTypeCheck: true, additionalProperties: true, jsDoc: 'none',
  expose: 'all', topRef: true,
});
process.stdout.write(JSON.stringify(Object.fromEntries(TYPES.map(type => [type, generator.createSchema(type)]))));
