// What OpenAI's client declares as answers.
export type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
export type { Completion } from 'openai/resources/completions';
export type { CreateEmbeddingResponse } from 'openai/resources/embeddings';
