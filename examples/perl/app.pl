#!/usr/bin/env perl
use Mojolicious::Lite -signatures;

my $version = 'hello from perl, version 1';

get '/' => sub ($c) {
  $c->render(text => "$version\n", format => 'txt');
};

app->start;
