//! As much of HTTP/1.1 as a page needs: one thread per connection, one answer per request.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Answers each request on `address` with what `page` returns for its path.
pub fn serve(address: &str, page: fn(&str) -> String) -> Result<()> {
    for stream in TcpListener::bind(address)?.incoming() {
        let stream = stream?;
        thread::spawn(move || answer(stream, page));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, page: fn(&str) -> String) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let body = page(request.split(' ').nth(1).unwrap_or("/"));
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        body.len(),
        body
    )
}
