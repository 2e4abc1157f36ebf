/**
 * The API: users create apps, enqueue generations and read their status. Each request is one transaction with the
 * identity of its user; row security and privileges of the database decide what it may do. DATABASE_URL is a login of
 * `leo_api`.
 */
import { apps, asUser, checkSchema, createClient, createPool, events, generations } from '../../db/index.ts'
import { generationModes, parseAppId, parseGenerationId, parseUserId } from '../../db/index.ts'
import type { UserTransaction } from '../../db/index.ts'
import { BadRequestError, serve } from './http.ts'
import type { Request } from './http.ts'
import { setting, stopping } from './service.ts'

const pool = createPool({ connectionString: setting('DATABASE_URL'), max: 5, connectionTimeoutMillis: 5_000 })
const db = createClient(pool)
await checkSchema(db)

const as = <T>(request: Request, work: (trx: UserTransaction) => Promise<T>): Promise<T> =>
  asUser(db, userOf(request), work, { timeoutMs: 5_000 })

const server = serve({
  'POST /apps': (request) => as(request, (trx) => apps.create(trx, { app_name: text(request, 'app_name') })),
  'GET /apps': (request) => as(request, (trx) => apps.list(trx, { cursor: request.query.get('cursor') })),
  'GET /apps/:app': (request) => as(request, (trx) => apps.get(trx, appOf(request))),
  'DELETE /apps/:app': (request) => as(request, (trx) => apps.delete(trx, appOf(request))),
  'POST /apps/:app/generations': (request) => as(request, (trx) => generations.enqueue(trx, generationRequest(request))),
  'GET /apps/:app/generations': (request) => as(request, (trx) => generations.list(trx, { app_id: appOf(request) })),
  'GET /generations/:generation': (request) => as(request, (trx) => generations.get(trx, generationOf(request))),
  'GET /generations/:generation/timeline': (request) =>
    as(request, (trx) =>
      events.listOfGeneration(trx, { user_id: userOf(request), generation_request_id: generationOf(request) }),
    ),
  'POST /generations/:generation/pause': (request) =>
    as(request, (trx) => generations.pause(trx, generationOf(request))),
  'POST /generations/:generation/resume': (request) =>
    as(request, (trx) => generations.resume(trx, generationOf(request))),
  'POST /generations/:generation/cancel': (request) =>
    as(request, (trx) => generations.cancel(trx, generationOf(request))),
  'POST /generations/:generation/retry': (request) =>
    as(request, (trx) => generations.retry(trx, generationOf(request))),
})

const userOf = ({ user }: Request) => parseUserId(user)
const appOf = ({ params }: Request) => parseAppId(params['app'])
const generationOf = ({ params }: Request) => parseGenerationId(params['generation'])

function text({ body }: Request, name: string): string {
  const value = body[name]
  if (typeof value !== 'string') throw new BadRequestError(`${name}_missing`)
  return value
}

/** The caller sends an idempotency key, so that a repeated request enqueues one generation. */
function generationRequest(request: Request): generations.GenerationRequest {
  const { mode = 'autonomous', max_iterations = 10 } = request.body
  const validMode = generationModes.find((one) => one === mode)
  if (validMode === undefined || typeof max_iterations !== 'number') throw new BadRequestError('mode_or_max_iterations')
  return {
    app_id: appOf(request),
    prompt: text(request, 'prompt'),
    mode: validMode,
    max_iterations,
    idempotency_key: text(request, 'idempotency_key'),
  }
}

server.listen(Number(setting('PORT', '3000')), '127.0.0.1', () => console.log('listening'))
stopping.addEventListener('abort', () => {
  server.close(() => db.destroy())
  server.closeIdleConnections()
})
