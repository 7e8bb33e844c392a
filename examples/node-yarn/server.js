const polka = require('polka');

const version = 'hello from node-yarn, version 1';

const app = polka().get('/', (req, res) => res.end(version + '\n'));
app.listen(process.env.PORT || 8000, process.env.HOST || '127.0.0.1');

process.on('SIGTERM', () => app.server.close(() => process.exit(0)));
