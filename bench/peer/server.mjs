// The box office as it is usually built, to measure beside onsale: holds are Redis keys with a TTL, taken all or none
// by a script; a sale is one PostgreSQL transaction with an optimistic version; payments are taken at their word, in
// process (no gateway call), which favours this side.
//
//     node server.mjs PORT REDIS_PORT POSTGRES_SOCKET_FOLDER POSTGRES_PORT ROWS SEATS_PER_ROW
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import pg from 'pg';

const [port, redis_port, postgres_folder, postgres_port, rows, seats_per_row] = process.argv.slice(2);
const HOLD_MS = 600000;

const redis = new Redis(Number(redis_port), '127.0.0.1', { enableAutoPipelining: true });
const database = new pg.Pool({ host: postgres_folder, port: Number(postgres_port), user: 'postgres', database: 'postgres', max: 32 });

redis.defineCommand('takeHold', {
    lua: `for i = 1, #KEYS - 1 do if redis.call('EXISTS', KEYS[i]) == 1 then return i end end
          for i = 1, #KEYS - 1 do redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2]) end
          redis.call('SET', KEYS[#KEYS], ARGV[3], 'PX', ARGV[2])
          return 0`,
});

const holdKey = (show, seat) => `hold:{${show}}:${seat}`;
const app = Fastify({ logger: false });

app.get('/api/v1/shows/:show/seats', async ({ params: { show } }) => {
    const found = await database.query('SELECT seat_id, status FROM show_seats WHERE show_id = $1 ORDER BY ctid', [show]);
    return found.rows;
});

const reserve_schema = {
    type: 'object',
    required: ['seat_ids', 'user_id'],
    properties: {
        seat_ids: { type: 'array', items: { type: 'string', maxLength: 64 }, minItems: 1, maxItems: 100, uniqueItems: true },
        user_id: { type: 'string', minLength: 1, maxLength: 128 },
    },
};

app.post('/api/v1/shows/:show/seats/reserve', { schema: { body: reserve_schema } }, async (request, reply) => {
    const { show } = request.params;
    const { seat_ids, user_id } = request.body;
    const reservation_id = randomUUID();
    const keys = [...seat_ids.map((seat) => holdKey(show, seat)), `reservation:${reservation_id}`];
    const hold = JSON.stringify({ show, seat_ids, user_id });
    const taken = await redis.takeHold(keys.length, ...keys, reservation_id, HOLD_MS, hold);
    if (taken !== 0) return reply.code(409).send({ code: 'seat_unavailable', seat_ids: [seat_ids[taken - 1]] });
    return reply.code(201).send({ reservation_id, expires_in_seconds: HOLD_MS / 1000, seat_ids });
});

const confirm_schema = {
    type: 'object',
    required: ['reservation_id'],
    properties: { reservation_id: { type: 'string' }, payment_token: { type: 'string' } },
};

async function sell(booking_id, { show, seat_ids, user_id }) {
    const client = await database.connect();
    try {
        await client.query('BEGIN');
        const sold = await client.query({
            name: 'sell',
            text: `UPDATE show_seats SET status = 'BOOKED', version = version + 1
                   WHERE show_id = $1 AND seat_id = ANY($2) AND status <> 'BOOKED'`,
            values: [show, seat_ids],
        });
        if (sold.rowCount !== seat_ids.length) {
            await client.query('ROLLBACK');
            return false;
        }
        await client.query({
            name: 'book',
            text: `INSERT INTO bookings (booking_id, show_id, user_id, seat_ids, status) VALUES ($1, $2, $3, $4, 'CONFIRMED')`,
            values: [booking_id, show, user_id, JSON.stringify(seat_ids)],
        });
        await client.query('COMMIT');
        return true;
    } finally {
        client.release();
    }
}

app.post('/api/v1/bookings/confirm', { schema: { body: confirm_schema } }, async (request, reply) => {
    const key = `reservation:${request.body.reservation_id}`;
    const found = await redis.get(key);
    if (!found) return reply.code(404).send({ code: 'reservation_not_found' });
    const hold = JSON.parse(found);
    const booking_id = randomUUID();
    if (!(await sell(booking_id, hold))) return reply.code(409).send({ code: 'seat_unavailable' });
    await redis.del(key, ...hold.seat_ids.map((seat) => holdKey(hold.show, seat)));
    return { booking_id, status: 'CONFIRMED' };
});

await database.query(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
await database.query(
    `INSERT INTO show_seats (show_id, seat_id)
     SELECT 'bench', 'North-' || row || '-' || seat FROM generate_series(1, $1::int) row, generate_series(1, $2::int) seat`,
    [rows, seats_per_row],
);
await app.listen({ host: '127.0.0.1', port: Number(port) });
