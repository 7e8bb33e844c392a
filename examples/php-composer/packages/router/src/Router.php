<?php

namespace Hop3\Router;

final class Router
{
    /** @var array<string, callable(): string> */
    private array $routes = [];

    public function get(string $path, callable $handler): self
    {
        $this->routes[$path] = $handler;
        return $this;
    }

    public function run(string $uri): void
    {
        header('Content-Type: text/plain');
        $handler = $this->routes[parse_url($uri, PHP_URL_PATH)] ?? null;
        if ($handler === null) {
            http_response_code(404);
            echo "no such page\n";
            return;
        }
        echo $handler();
    }
}
