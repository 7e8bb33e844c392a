<?php
$version = "hello from php, version 1";
header("Content-Type: text/plain");
echo $version, "\n";
