import { Wisp, WispError } from 'wisp-llm';

const form = document.querySelector('form');
const [ask, stop] = form.querySelectorAll('button');
const state = document.querySelector('#state');
const answer = document.querySelector('.assistant');

// The small model of this repository, as a file of the bundle. 'owner/repo' of Hugging Face, or any address, would do as well.
const model = new URL('../../../../models/wisp-stories.gguf', import.meta.url);
const wisp = await Wisp.load(model, {
  onProgress: ({ phase, loaded, total }) => { state.textContent = total ? `${phase} ${Math.round(100 * loaded / total)} %` : phase; },
}).catch(error => {
  state.textContent = error instanceof WispError ? `${error.message} (${error.code})` : String(error);
  throw error;
});
state.textContent = `Ready: ${wisp.info().executor}`;
ask.disabled = false;

const messages = [];
let stream;
stop.onclick = () => stream?.controller.abort();
form.onsubmit = async event => {
  event.preventDefault();
  messages.push({ role: 'user', content: form.elements.question.value });
  answer.textContent = '';
  [ask.disabled, stop.disabled] = [true, false];
  try {
    stream = await wisp.chat.completions.create({ messages, max_tokens: 200, stream: true });
    for await (const chunk of stream) answer.textContent += chunk.choices[0]?.delta.content ?? '';
    messages.push({ role: 'assistant', content: answer.textContent });
  } catch (error) {
    state.textContent = error.message;
  }
  [ask.disabled, stop.disabled] = [false, true];
};
