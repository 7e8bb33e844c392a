<?php

namespace App;

final class Page
{
    private const VERSION = 'hello from php, version 1';

    public function __invoke(): string
    {
        return self::VERSION . "\n";
    }
}
