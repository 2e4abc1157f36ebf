/** Runs in the page: shows the entries that have all words, wherever, and of the contents what leads to them. */
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
function look() {
  const words = field.value.toLowerCase().split(/\\s+/).filter((word) => word !== '')
  let found = 0
  for (const { element, text, title, link } of entries) {
    const fits = words.every((word) => text.includes(word) || title.includes(word))
    element.hidden = link.hidden = !fits
    if (fits) found += 1
  }
  for (const other of others) other.hidden = words.length > 0
  status.textContent = words.length === 0 ? '' : found + ' of ' + entries.length
}
field.addEventListener('input', look)
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target === field || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  field.focus()
})
box.hidden = false
look()
`
