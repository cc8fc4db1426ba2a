import { createRoot } from 'react-dom/client';

// The small model of this repository, as a file of the bundle. 'owner/repo' of Hugging Face, or any address, would do as well.
import model from '../../../../models/wisp-stories.gguf?url';
import { Chat } from './chat.jsx';

createRoot(document.getElementById('root')).render(<Chat model={new URL(model, location.href).href} />);
