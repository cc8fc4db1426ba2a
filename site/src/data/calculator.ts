// Arithmetic for the model: + - * / % ^, brackets, a few functions and constants. A parser of its own, because eval() runs programs.
const FUNCTIONS: Record<string, (value: number) => number> = {
  sqrt: Math.sqrt, abs: Math.abs, floor: Math.floor, ceil: Math.ceil, round: Math.round, exp: Math.exp, ln: Math.log, log: Math.log10,
  sin: Math.sin, cos: Math.cos, tan: Math.tan,
};
const CONSTANTS: Record<string, number> = { pi: Math.PI, e: Math.E };
const MOST_CHARACTERS = 1000; // also bounds how deep brackets nest

/** Throws what is wrong with `expression`. */
export function calculate(expression: string): number {
  if (expression.length > MOST_CHARACTERS) throw new Error(`the expression has ${expression.length} characters, at most ${MOST_CHARACTERS} are read`);
  const tokens = expression.match(/\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|[a-zA-Z]+|\*\*|[-+*/%^()×÷]|\S/g) ?? [];
  let at = 0;
  const take = (...wanted: string[]): string | undefined => (wanted.includes(tokens[at] ?? '') ? tokens[at++] : undefined);

  function sum(): number {
    let value = product();
    for (let sign = take('+', '-'); sign; sign = take('+', '-')) value += (sign === '+' ? 1 : -1) * product();
    return value;
  }
  function product(): number {
    let value = signed();
    for (let sign = take('*', '/', '%', '×', '÷'); sign; sign = take('*', '/', '%', '×', '÷')) {
      const right = signed();
      value = sign === '*' || sign === '×' ? value * right : sign === '%' ? value % right : value / right;
    }
    return value;
  }
  // -2^2 is -4, and 2^-2 is a quarter.
  function signed(): number {
    const sign = take('+', '-');
    return sign ? (sign === '-' ? -signed() : signed()) : power();
  }
  function power(): number {
    const base = atom();
    return take('^', '**') ? base ** signed() : base;
  }
  function atom(): number {
    const token = tokens[at++];
    if (token === undefined) throw new Error('the expression ends too early');
    if (token === '(') {
      const value = sum();
      if (!take(')')) throw new Error('a bracket is not closed');
      return value;
    }
    if (/^[\d.]/.test(token)) return Number(token);
    const name = token.toLowerCase();
    if (Object.hasOwn(CONSTANTS, name)) return CONSTANTS[name]!;
    if (Object.hasOwn(FUNCTIONS, name) && tokens[at] === '(') return FUNCTIONS[name]!(atom());
    throw new Error(`'${token}' is not understood`);
  }

  const value = sum();
  if (at < tokens.length) throw new Error(`'${tokens[at]}' is not expected there`);
  return value;
}
