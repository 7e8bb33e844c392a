package = "hello"
version = "1.0-1"
source = { url = "git+file:///nowhere" }
dependencies = {
   "lua >= 5.3, < 5.5",
   "luasocket >= 3.0",
}
build = { type = "builtin", modules = {} }
