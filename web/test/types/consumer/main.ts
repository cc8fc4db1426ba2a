// A program of a user, who has no types of WebGPU or Node, checks all that it includes, and is as strict as can be.
import { Stream, Wisp, WispError } from 'wisp-llm';
import type { ChatCompletion, ChatMessage, ChatRequest, EngineInfo, LoadOptions, LoadProgress, MakeRoomRequest, StoredModel, WispErrorCode } from 'wisp-llm';

const makeRoom = async ({ suggestion }: MakeRoomRequest): Promise<readonly string[]> => suggestion;
const options: LoadOptions = { device: 'auto', context: 2048, onProgress: (progress: LoadProgress) => void progress.bytesPerSecond, onMakeRoom: makeRoom };
const wisp: Wisp = await Wisp.load('owner/repo', options);
const info: EngineInfo = wisp.info();

const messages: ChatMessage[] = [{ role: 'user', content: info.model.name }];
const request = { messages, max_tokens: 10, tools: [{ type: 'function', function: { name: 'clock' } }] } satisfies ChatRequest;
const answer: ChatCompletion = await wisp.chat.completions.create(request);
for (const { message } of answer.choices) messages.push(message);

const stream: Stream<import('wisp-llm').ChatCompletionChunk> = await wisp.chat.completions.create({ messages, stream: true });
for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'stop') stream.controller.abort();

const text: string = (await wisp.completions.create({ prompt: 'Once' })).choices[0]?.text ?? '';
const vector: number[] = (await wisp.embeddings.create({ input: text })).data[0]?.embedding ?? [];

const stored = Wisp.models({ store: 'memory' });
const models: StoredModel[] = await stored.list();
stored.close();

try {
  await wisp.tokenize(String(vector.length + models.length), { parse: true });
} catch (error) {
  const code: WispErrorCode | undefined = error instanceof WispError ? error.code : undefined;
  if (code === 'worker_died') await wisp.restart();
}
