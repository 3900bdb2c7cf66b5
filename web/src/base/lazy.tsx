/* A page that is fetched when it is first looked at. What cannot be fetched is thrown where the page would be, so that
 * the frame says what to do: the address of a part changes with each version of the shop. */
import type { ComponentType, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export function lazy<Properties extends object>(load: () => Promise<ComponentType<Properties>>, meanwhile: () => JSX.Element): ComponentType<Properties> {
  let loaded: ComponentType<Properties> | null = null;
  let loading: Promise<ComponentType<Properties>> | null = null;
  return function Lazy(properties: Properties) {
    const [, set_times] = useState(0);
    const [failed, set_failed] = useState<{ error: unknown } | null>(null);
    /* Not in the effect: it is on its way while the rest is drawn. */
    loading ??= load();
    useEffect(() => {
      if (loaded) return;
      loading?.then(
        (page) => {
          loaded = page;
          set_times((times) => times + 1);
        },
        (error) => {
          loading = null;
          set_failed({ error });
        },
      );
    }, []);
    if (failed) throw failed.error;
    if (!loaded) return meanwhile();
    const Page = loaded as ComponentType<object>;
    return <Page {...properties} />;
  };
}
