<?php

require __DIR__ . '/../vendor/autoload.php';

(new Hop3\Router\Router())
    ->get('/', new App\Page())
    ->run($_SERVER['REQUEST_URI']);
