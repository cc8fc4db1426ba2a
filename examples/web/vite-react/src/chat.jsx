import { useRef, useState } from 'react';

import { useWisp } from './use_wisp.js';

export function Chat({ model }) {
  const { wisp, state } = useWisp(model);
  const [messages, setMessages] = useState([]);
  const [question, setQuestion] = useState('Tell me a story about a dog.');
  const [problem, setProblem] = useState('');
  const [answering, setAnswering] = useState(false);
  const stream = useRef(undefined);

  async function ask(event) {
    event.preventDefault();
    const asked = [...messages, { role: 'user', content: question }];
    let content = '';
    const show = () => setMessages([...asked, { role: 'assistant', content }]);
    show();
    setAnswering(true);
    setProblem('');
    try {
      stream.current = await wisp.chat.completions.create({ messages: asked, max_tokens: 200, stream: true });
      for await (const chunk of stream.current) {
        content += chunk.choices[0]?.delta.content ?? '';
        show();
      }
    } catch (error) {
      setProblem(error.message);
    } finally {
      setAnswering(false);
    }
  }

  return (
    <main>
      <p id="state" role="status">{problem || state}</p>
      {messages.map(({ role, content }, index) => <p key={index} className={role} style={{ whiteSpace: 'pre-wrap' }}>{content}</p>)}
      <form onSubmit={ask}>
        <label>You: <input value={question} onChange={event => setQuestion(event.target.value)} size="40" /></label>
        <button disabled={!wisp || answering}>Ask</button>
        <button type="button" name="stop" disabled={!answering} onClick={() => stream.current?.controller.abort()}>Stop</button>
      </form>
    </main>
  );
}
