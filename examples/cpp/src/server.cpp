#include "server.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace {

void answer(int client, const std::function<std::string(const std::string &)> &page) {
  std::string request;
  char part[4096];
  while (request.find("\r\n\r\n") == std::string::npos && request.size() < 65536) {
    ssize_t n = read(client, part, sizeof part);
    if (n <= 0) return;
    request.append(part, static_cast<size_t>(n));
  }
  size_t from = request.find(' '), to = request.find(' ', from + 1);
  if (from == std::string::npos || to == std::string::npos) return;
  std::string body = page(request.substr(from + 1, to - from - 1));
  std::string reply = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body;
  for (size_t sent = 0; sent < reply.size();) {
    ssize_t n = write(client, reply.data() + sent, reply.size() - sent);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

} // namespace

void serve(const std::string &host, int port, const std::function<std::string(const std::string &)> &page) {
  std::signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) throw std::runtime_error("not an address: " + host);
  if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listener, 64) != 0)
    throw std::runtime_error("cannot listen on port " + std::to_string(port));
  for (;;) {
    int client = accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    answer(client, page);
    close(client);
  }
}
