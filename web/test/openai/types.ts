// OpenAI's own types take wisp's answers, and wisp takes OpenAI's requests, less what a model in a page does not do. Compiled
// with everything else by tsc, and never run.
import type * as Chat from 'openai/resources/chat/completions';
import type * as Text from 'openai/resources/completions';
import type * as Vectors from 'openai/resources/embeddings';

import type { AnswerMessage, ChatMessage, ChatRequest, CompletionRequest, EmbeddingRequest, Wisp } from '../../src/index.js';

export async function answers(wisp: Wisp): Promise<unknown[]> {
  const messages: ChatMessage[] = [];
  const whole: Chat.ChatCompletion = await wisp.chat.completions.create({ messages });
  const pieces: AsyncIterable<Chat.ChatCompletionChunk> = await wisp.chat.completions.create({ messages, stream: true });
  const text: Text.Completion = await wisp.completions.create({ prompt: '' });
  const textPieces: AsyncIterable<Text.Completion> = await wisp.completions.create({ prompt: '', stream: true });
  const vectors: Vectors.CreateEmbeddingResponse = await wisp.embeddings.create({ input: '' });
  return [whole, pieces, text, textPieces, vectors];
}

// What is not done: contents other than text, calls other than of functions, and choices among several tools.
type TextContent = string | Chat.ChatCompletionContentPartText[];
type Said = Omit<Chat.ChatCompletionAssistantMessageParam, 'content' | 'tool_calls' | 'audio' | 'function_call'>
  & { content?: TextContent | null; tool_calls?: Chat.ChatCompletionMessageFunctionToolCall[] };
type Asked = Omit<Chat.ChatCompletionUserMessageParam, 'content'> & { content: TextContent };
type Message = Chat.ChatCompletionDeveloperMessageParam | Chat.ChatCompletionSystemMessageParam | Chat.ChatCompletionToolMessageParam | Asked | Said;
type Served<Request> = Omit<Request, 'messages' | 'tools' | 'tool_choice'> & {
  messages: Message[];
  tools?: Chat.ChatCompletionFunctionTool[];
  tool_choice?: 'none' | 'auto' | 'required' | Chat.ChatCompletionNamedToolChoice;
};

export const requestOf = (request: Served<Chat.ChatCompletionCreateParamsBase>): ChatRequest => request;
export const wholeOf = (wisp: Wisp, request: Served<Chat.ChatCompletionCreateParamsNonStreaming>): Promise<Chat.ChatCompletion> =>
  wisp.chat.completions.create(request);
export const piecesOf = (wisp: Wisp, request: Served<Chat.ChatCompletionCreateParamsStreaming>): Promise<AsyncIterable<Chat.ChatCompletionChunk>> =>
  wisp.chat.completions.create(request);

// No text at all is not taken.
export const textOf = (request: Text.CompletionCreateParamsBase & { prompt: string | string[] | number[] | number[][] }): CompletionRequest => request;
export const vectorsOf = (request: Vectors.EmbeddingCreateParams): EmbeddingRequest => request;

// An answer goes back into the conversation as it is, here and there.
export const goesOn = (message: AnswerMessage): [ChatMessage, Chat.ChatCompletionMessageParam] => [message, message];
