import { createRoot } from 'react-dom/client';

import { Chat } from './chat.jsx';

// Any name on Hugging Face, or an address. The test's page has the model beside it.
const model = new URLSearchParams(location.search).get('model') ?? 'models/wisp-stories.gguf';

createRoot(document.getElementById('root')).render(<Chat model={new URL(model, location.href).href} />);
