import { useEffect, useState } from 'react';
import { Wisp } from 'wisp-llm';

/** A model for as long as the component lives: `{wisp}` once it is ready, until then `{state}`, a line for people. */
export function useWisp(source) {
  const [loaded, setLoaded] = useState({ wisp: undefined, state: 'Loading' });
  useEffect(() => {
    const controller = new AbortController();
    let wisp;
    const tell = ({ phase, loaded: bytes, total }) =>
      setLoaded({ wisp: undefined, state: total ? `${phase} ${Math.round(100 * bytes / total)} %` : phase });
    Wisp.load(source, { onProgress: progress => controller.signal.aborted || tell(progress), signal: controller.signal }).then(made => {
      wisp = made;
      if (controller.signal.aborted) void made.dispose();
      else setLoaded({ wisp: made, state: `Ready: ${made.info().executor}` });
    }, error => {
      if (error.name !== 'AbortError') setLoaded({ wisp: undefined, state: error.message }); // a sentence for people
    });
    return () => {
      controller.abort();
      void wisp?.dispose();
    };
  }, [source]);
  return loaded;
}
