import { createHash } from 'node:crypto'

export interface Page {
  readonly title: string
  /** HTML. */
  readonly body: string
  /** A stylesheet. */
  readonly style: string
  /** The only script of the page. */
  readonly script?: string
}

/** A self-contained page. Its content security policy blocks every other resource, style and script. */
export function htmlPage({ title, body, style, script }: Page): string {
  const policy = [
    `default-src 'none'`,
    `style-src '${hashOf(style)}'`,
    ...(script === undefined ? [] : [`script-src '${hashOf(script)}'`]),
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
${body}
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`
}

const hashOf = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`

/** Escapes text, and attribute values in double quotes. */
export const escapeHtml = (text: string): string =>
  text
    .replace(/[^\P{Cc}\n\t]|[\p{Cs}\p{Bidi_Control}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

/** Escapes text and formats parts in `backticks` as code. */
export const inline = (text: string): string =>
  escapeHtml(text).replace(/`([^`]+)`/g, (_, code: string) => `<code>${code}</code>`)

/** An element id, also the URL fragment of links to it. Different names give different ids. */
export const anchor = (name: string): string =>
  name.replace(/[^\w.-]/gu, (sign) => `~${sign.codePointAt(0)!.toString(16)}~`)

/** A table whose cells are HTML. A wide table scrolls separately from the page, also with the keyboard. */
export const htmlTable = (name: string, head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="wide" role="group" aria-label="${escapeHtml(name)}" tabindex="0"><table>
<thead><tr>${head.map((title) => `<th scope="col">${escapeHtml(title)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(htmlRow).join('\n')}
</tbody></table></div>`

const htmlRow = ([first = '', ...rest]: readonly string[]): string =>
  `<tr><th scope="row">${first}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`

export const figure = (svg: string, name: string): string =>
  `<div class="wide picture" role="group" aria-label="${escapeHtml(name)}" tabindex="0">${svg}</div>`
