// Shows how long this page has been open. Swapping a style sheet does not restart it; a reload does.
// Change the text below and save.
const label = 'This page has been here for'

const place = document.querySelector('#age')
const start = performance.now()
const show = () => {
  place.textContent = `${label} ${Math.round((performance.now() - start) / 1000)} s`
}
show()
setInterval(show, 1000)
