import { render } from 'preact';

import { App } from './app.js';
import { readConversations } from './data/conversations.js';
import { startService } from './offline/service.js';
import { takeDrops } from './views/drop.js';

startService();
takeDrops();
const place = document.getElementById('app')!;
place.textContent = '';
render(<App />, place);
void readConversations();
