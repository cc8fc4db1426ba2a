// While an engine waits for its device, this worker is in its event loop: the device's answers arrive there, or another
// device takes its place.
import type { WispModule } from '../module/module.js';
import type { Native } from './native.js';

/** Resolves when the engine may be asked again. `openDevice` gives a pointer to the device after one that was lost. */
export async function deviceAnswers(module: WispModule, native: Native, engine: number, openDevice: () => Promise<number>): Promise<void> {
  if (module.call('wisp_engine_wants_device', engine) === 1) {
    native.do('wisp_engine_give_device', engine, await openDevice());
    return;
  }
  await new Promise<void>(resolve => {
    module.gpu.onanswer = resolve;
  });
}
