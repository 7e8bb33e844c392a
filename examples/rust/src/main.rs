mod http;

use std::env;

fn main() -> std::io::Result<()> {
    let host = env::var("HOST").unwrap_or("127.0.0.1".into());
    let port = env::var("PORT").unwrap_or("8000".into());
    http::serve(&format!("{host}:{port}"), |_path| "hello from rust, version 1\n".to_string())
}
