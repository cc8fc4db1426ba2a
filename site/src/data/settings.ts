// How answers are made: kept in this browser, the same for all conversations.
import type { ChatRequest } from '../package.js';
import { KeptStore } from '../store.js';

export const answerSettings = new KeptStore('wisp-answer-settings', {
  system: '',
  temperature: 0.7,
  topP: 0.95,
  topK: 40,
  minP: 0,
  repeatPenalty: 1,
  maxTokens: 1024,
  seed: '',
  stop: '',
  thinking: true,
  tools: false,
  format: 'text' as 'text' | 'json' | 'schema',
  schema: '{\n  "type": "object",\n  "properties": {\n    "answer": { "type": "string" }\n  },\n  "required": ["answer"]\n}',
}, { allowed: { format: ['text', 'json', 'schema'] } });

export type AnswerSettings = typeof answerSettings.value;

/** What is wrong with the settings, or nothing. */
export function problemOf({ format, schema }: AnswerSettings): string {
  if (format !== 'schema') return '';
  try {
    const parsed: unknown = JSON.parse(schema);
    return parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed) ? '' : 'A schema is a JSON object.';
  } catch (error) {
    return `The schema is not JSON: ${error instanceof Error ? error.message : ''}`;
  }
}

/** The settings as fields of a request. */
export function requestFields(settings: AnswerSettings): Partial<ChatRequest> {
  const { temperature, topP, topK, minP, repeatPenalty, maxTokens, seed, stop, thinking, format, schema } = settings;
  const stops = stop.split('\n').filter(line => line !== '');
  return {
    temperature, top_p: topP, top_k: topK, min_p: minP, repeat_penalty: repeatPenalty, max_tokens: maxTokens, enable_thinking: thinking,
    ...(/^\d{1,15}$/.test(seed.trim()) && { seed: Number(seed) }),
    ...(stops.length > 0 && { stop: stops }),
    ...(format === 'json' && { response_format: { type: 'json_object' as const } }),
    ...(format === 'schema' && problemOf(settings) === ''
      && { response_format: { type: 'json_schema' as const, json_schema: { name: 'answer', schema: JSON.parse(schema) as Record<string, unknown> } } }),
  };
}
