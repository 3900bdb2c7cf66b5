/* Viewers who ask to watch and never read a byte: node silent_viewers.mjs PORT PATH COUNT. Says when all are there, and
 * ends with its input. */
import { createConnection } from 'node:net';

const AT_ONCE = 50;
const [, , port, path, count] = process.argv;
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
  + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

let begun = 0;
let open = 0;

function begin() {
  begun += 1;
  const socket = createConnection({ host: '127.0.0.1', port: Number(port) }, () => {
    socket.write(request);
    open += 1;
    if (open === Number(count)) console.log('all are there');
    else if (begun < Number(count)) begin();
  });
  socket.pause();
  socket.on('error', () => {});
}

for (let i = 0; i < Math.min(AT_ONCE, Number(count)); i++) begin();
process.stdin.resume().on('end', () => process.exit(0));
