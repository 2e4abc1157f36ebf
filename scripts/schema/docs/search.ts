/**
 * The script of the page. It shows the entries that contain all words of the search, and their links in the table of
 * contents.
 */
export const search = `
const box = document.querySelector('.search')
const field = box.querySelector('input')
const status = box.querySelector('[role=status]')
const entries = [...document.querySelectorAll('[data-entry]')].map((element) => ({
  element,
  text: element.textContent.toLowerCase(),
  title: element.querySelector('h3').textContent.toLowerCase(),
  link: document.querySelector('nav a[href="#' + element.id + '"]').parentElement,
}))
const others = [...document.querySelectorAll('main > :not([data-entry]), nav h2')]
function update() {
  const words = field.value.toLowerCase().split(/\\s+/).filter((word) => word !== '')
  let found = 0
  for (const { element, text, title, link } of entries) {
    const matches = words.every((word) => text.includes(word) || title.includes(word))
    element.hidden = link.hidden = !matches
    if (matches) found += 1
  }
  for (const other of others) other.hidden = words.length > 0
  status.textContent = words.length === 0 ? '' : found + ' of ' + entries.length
}
field.addEventListener('input', update)
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target === field || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  field.focus()
})
box.hidden = false
update()
`
