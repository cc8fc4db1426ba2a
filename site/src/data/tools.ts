// Tools that a model may call. They run in this page, reach nothing outside of it, and change nothing.
import type { Tool, ToolCall } from '../package.js';
import { calculate } from './calculator.js';

interface PageTool {
  description: string;
  parameters: Record<string, unknown>;
  run(given: Record<string, unknown>): string;
}

const TOOLS: Record<string, PageTool> = {
  calculator: {
    description: 'Computes an arithmetic expression, such as "(3 + 4) * sqrt(2)".',
    parameters: { type: 'object', properties: { expression: { type: 'string' } }, required: ['expression'], additionalProperties: false },
    run: ({ expression }) => String(calculate(String(expression ?? ''))),
  },
  clock: {
    description: 'Tells the date and the time of day where the user is.',
    parameters: { type: 'object', properties: {}, additionalProperties: false },
    run: () => new Date().toLocaleString('en-GB', { dateStyle: 'full', timeStyle: 'long' }),
  },
};

export const toolList: Tool[] = Object.entries(TOOLS).map(([name, { description, parameters }]) => ({ type: 'function', function: { name, description, parameters } }));

/** What the model is told of its call. A call that makes no sense is answered, too: the model can try again. */
export function runTool({ function: { name, arguments: given } }: ToolCall): string {
  const tool = Object.hasOwn(TOOLS, name) ? TOOLS[name] : undefined;
  if (!tool) return `error: there is no tool '${name}'`;
  try {
    const parsed: unknown = JSON.parse(given || '{}');
    return tool.run(parsed !== null && typeof parsed === 'object' ? (parsed as Record<string, unknown>) : {});
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : String(error)}`;
  }
}
