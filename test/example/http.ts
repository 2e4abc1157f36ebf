/** The HTTP server of the API: a table of routes, JSON bodies, and a status for each error. */
import type { IncomingMessage, Server } from 'node:http'
import { createServer } from 'node:http'
import { ConstraintError, InvalidCursorError, InvalidIdError } from '../../db/index.ts'
import { LeoError, NotFoundError, RuleError } from '../../db/index.ts'

export interface Request {
  /** The signed-in user. This example reads a header; use the `sub` of a verified token in production. */
  readonly user: unknown
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
}

/** A handler returns the body of the response; its `outcome`, if it has one, determines the status. */
export type Routes = Readonly<Record<string, (request: Request) => Promise<object>>>

const statuses: Readonly<Record<string, number>> = {
  created: 201,
  enqueued: 201,
  not_found: 404,
  name_taken: 409,
  not_allowed: 409,
}

export function serve(routes: Routes): Server {
  return createServer(async (incoming, outgoing) => {
    const { status, body } = await answer(routes, incoming).catch(failure)
    outgoing.writeHead(status, { 'content-type': 'application/json' })
    outgoing.end(JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? String(value) : value)))
  })
}

async function answer(routes: Routes, incoming: IncomingMessage): Promise<{ status: number; body: object }> {
  const url = new URL(incoming.url ?? '/', 'http://localhost')
  for (const [route, handle] of Object.entries(routes)) {
    const params = match(route, `${incoming.method} ${url.pathname}`)
    if (params === undefined) continue
    const request = { user: incoming.headers['x-user'], params, query: url.searchParams, body: await bodyOf(incoming) }
    const body = await handle(request)
    return { status: ('outcome' in body && statuses[String(body.outcome)]) || 200, body }
  }
  return { status: 404, body: { error: 'no_such_route' } }
}

/** Returns the parameters if a route such as `GET /apps/:app` matches, otherwise undefined. */
function match(route: string, requested: string): Record<string, string> | undefined {
  const pattern = new RegExp(`^${route.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
  const found = pattern.exec(requested)
  return found === null ? undefined : { ...found.groups }
}

async function bodyOf(incoming: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of incoming.setEncoding('utf8')) {
    text += chunk
    if (text.length > 100_000) throw new BadRequestError('too_long')
  }
  if (text === '') return {}
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null) return { ...body }
  } catch {}
  throw new BadRequestError('not_json')
}

export class BadRequestError extends Error {
  override readonly name = 'BadRequestError'
}

/** The caller receives the code of the error; unexpected errors are logged only. */
function failure(error: unknown): { status: number; body: object } {
  if (error instanceof BadRequestError) return { status: 400, body: { error: error.message } }
  const status = error instanceof LeoError ? statusOf(error) : 500
  if (status >= 500) console.error(error)
  return { status, body: { error: error instanceof LeoError && status !== 500 ? error.code : 'internal' } }
}

function statusOf(error: LeoError): number {
  if (error instanceof InvalidIdError || error instanceof InvalidCursorError) return 400
  if (error instanceof NotFoundError) return 404
  if (error instanceof ConstraintError || error instanceof RuleError) return 422
  return error.isRetrySafe ? 503 : 500
}
