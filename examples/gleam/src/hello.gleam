//// A server of one page, on Erlang's sockets.

@external(erlang, "hello_ffi", "serve")
fn serve(body: String) -> Nil

pub fn main() -> Nil {
  serve("hello from gleam, version 1\n")
}
