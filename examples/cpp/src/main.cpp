#include "server.hpp"

#include <cstdlib>
#include <iostream>

int main() {
  const char *host = std::getenv("HOST");
  const char *port = std::getenv("PORT");
  try {
    serve(host ? host : "127.0.0.1", port ? std::atoi(port) : 8000, [](const std::string &) { return "hello from cpp, version 1\n"; });
  } catch (const std::exception &e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
