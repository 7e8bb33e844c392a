document.querySelector('#page').textContent = 'this is ' + location.pathname
