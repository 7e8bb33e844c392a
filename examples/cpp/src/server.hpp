#pragma once

#include <functional>
#include <string>

// serve answers each HTTP request on host:port with what page returns for its path. It returns only on SIGTERM.
void serve(const std::string &host, int port, const std::function<std::string(const std::string &)> &page);
