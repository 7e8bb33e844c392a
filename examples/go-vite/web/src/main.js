document.querySelector('#made').textContent = 'made by vite'
