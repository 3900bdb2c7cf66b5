/* A show's picture; where it has none, rows of seats around a stage in its accent colour, a little different for each. */

/* FNV-1a, of the show's id. */
function number_of(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

const ROWS = 15;

function Pattern({ subject }: { subject: string }) {
  const number = number_of(subject);
  const middle = 34 + (number % 92);
  const lit = 3 + ((number >>> 8) % 8);
  return (
    <svg class="picture-pattern" viewBox="0 0 160 100" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
      {Array.from({ length: ROWS }, (_, row) => (
        <circle
          key={row}
          class={row === lit || row === lit + 3 ? 'picture-row picture-row-lit' : 'picture-row'}
          cx={middle}
          cy={118}
          r={26 + row * 8.4}
          stroke-dasharray={`0 ${6.6 + row * 0.12}`}
          transform={`rotate(${(number >>> row) % 7} ${middle} 118)`}
        />
      ))}
    </svg>
  );
}

export function Picture({ subject, image, eager = false }: { subject: string; image: string | null | undefined; eager?: boolean }) {
  return (
    <div class="picture">
      {image ? <img src={image} alt="" decoding="async" loading={eager ? 'eager' : 'lazy'} /> : <Pattern subject={subject} />}
    </div>
  );
}
