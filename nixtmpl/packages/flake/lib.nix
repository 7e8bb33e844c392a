# The part of nixpkgs' lib that generated flakes may use, with its names and
# meanings.
rec {
  inherit (builtins)
    add all any attrNames attrValues concatLists concatMap concatStringsSep deepSeq elem elemAt filter foldl' fromJSON functionArgs genList getAttr
    hasAttr head intersectAttrs isAttrs isBool isFunction isInt isList isString length listToAttrs mapAttrs match readFile replaceStrings seq
    splitVersion stringLength substring tail toJSON trace;

  fakeHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  fakeSha256 = "0000000000000000000000000000000000000000000000000000000000000000";

  id = x: x;
  const = x: _: x;
  flip = f: a: b: f b a;
  pipe = foldl' (x: f: f x);
  fix = f: let x = f x; in x;
  importJSON = path: fromJSON (readFile path);
  warn = message: x: trace "warning: ${message}" x;
  warnIf = condition: message: x: if condition then warn message x else x;
  throwIf = condition: message: x: if condition then throw message else x;
  assertMsg = condition: message: if condition then true else throw message;

  # lists
  optional = condition: x: if condition then [ x ] else [ ];
  optionals = condition: xs: if condition then xs else [ ];
  singleton = x: [ x ];
  last = xs: elemAt xs (length xs - 1);
  init = xs: genList (elemAt xs) (length xs - 1);
  flatten = x: if isList x then concatMap flatten x else [ x ];
  toList = x: if isList x then x else [ x ];
  unique = foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ];
  subtractLists = remove: filter (x: !(elem x remove));
  range = from: to: if from > to then [ ] else genList (n: from + n) (to - from + 1);

  # attribute sets
  optionalAttrs = condition: attrs: if condition then attrs else { };
  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  mapAttrs' = f: attrs: listToAttrs (mapAttrsToList f attrs);
  mapAttrsToList = f: attrs: map (name: f name attrs.${name}) (attrNames attrs);
  filterAttrs = keep: attrs: listToAttrs (concatMap (name: optional (keep name attrs.${name}) (nameValuePair name attrs.${name})) (attrNames attrs));
  attrByPath = path: default: attrs:
    if path == [ ] then attrs
    else if isAttrs attrs && attrs ? ${head path} then attrByPath (tail path) default attrs.${head path}
    else default;
  recursiveUpdate = a: b: a // mapAttrs (name: v: if isAttrs v && isAttrs (a.${name} or null) then recursiveUpdate a.${name} v else v) b;

  # strings
  optionalString = condition: s: if condition then s else "";
  concatStrings = concatStringsSep "";
  concatMapStrings = f: xs: concatStrings (map f xs);
  concatMapStringsSep = separator: f: xs: concatStringsSep separator (map f xs);
  concatMapAttrsStringSep = separator: f: attrs: concatStringsSep separator (mapAttrsToList f attrs);
  hasPrefix = prefix: s: substring 0 (stringLength prefix) s == prefix;
  hasSuffix = suffix: s: let n = stringLength s - stringLength suffix; in n >= 0 && substring n (-1) s == suffix;
  hasInfix = infix: s: match ".*${escapeRegex infix}.*" (replaceStrings [ "\n" ] [ " " ] s) != null;
  removePrefix = prefix: s: if hasPrefix prefix s then substring (stringLength prefix) (-1) s else s;
  removeSuffix = suffix: s: if hasSuffix suffix s then substring 0 (stringLength s - stringLength suffix) s else s;
  splitString = separator: s: filter isString (builtins.split (escapeRegex separator) s);
  escape = characters: replaceStrings characters (map (c: "\\" + c) characters);
  escapeRegex = escape [ "\\" "." "+" "*" "?" "(" ")" "[" "]" "{" "}" "|" "^" "$" ];
  escapeShellArg = s: "'" + replaceStrings [ "'" ] [ "'\\''" ] (toString s) + "'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  toShellVar = name: value: "${name}=${escapeShellArg value}";
  versionAtLeast = a: b: builtins.compareVersions a b >= 0;
  versionOlder = a: b: builtins.compareVersions a b < 0;
  versions = rec {
    major = v: elemAt (builtins.splitVersion v) 0;
    minor = v: elemAt (builtins.splitVersion v) 1;
    patch = v: elemAt (builtins.splitVersion v) 2;
    majorMinor = v: "${major v}.${minor v}";
  };
  getVersion = x: x.version or (builtins.parseDrvName (x.name or x)).version;
  getName = x: x.pname or (builtins.parseDrvName (x.name or x)).name;

  # packages and their outputs
  getBin = p: p.bin or p;
  getLib = p: p.lib or p;
  getDev = p: p.dev or p;
  getOutput = output: p: p.${output} or p;
  getExe = p: "${getBin p}/bin/${p.meta.mainProgram or (getName p)}";
  getExe' = p: name: "${getBin p}/bin/${name}";
  makeSearchPath = folder: ps: concatMapStringsSep ":" (p: "${p}/${folder}") (filter (p: p != null) ps);
  makeBinPath = ps: makeSearchPath "bin" (map getBin (filter (p: p != null) ps));
  makeLibraryPath = ps: makeSearchPath "lib" (map getLib (filter (p: p != null) ps));
  isDerivation = x: x.type or null == "derivation";

  # sources
  cleanSourceWith = { src, filter ? (_: _: true), name ? "source" }: builtins.path { path = src; inherit filter name; };
  cleanSource = src: cleanSourceWith {
    inherit src;
    filter = path: _: !(elem (baseNameOf path) [ ".git" ".hg" ".svn" "result" ]);
  };

  # functions with default arguments
  setFunctionArgs = f: args: { __functor = _: f; __functionArgs = args; };
  makeOverridable = f: args:
    let result = f args; in
    if isAttrs result then result // { override = new: makeOverridable f (args // (if isFunction new then new args else new)); } else result;
  callPackageWith = scope: f: args:
    let function = if isFunction f then f else import f; in
    makeOverridable function (intersectAttrs (functionArgs function) scope // args);

  fetchers.proxyImpureEnvVars = [
    "http_proxy" "https_proxy" "ftp_proxy" "all_proxy" "no_proxy" "HTTP_PROXY" "HTTPS_PROXY" "FTP_PROXY" "ALL_PROXY" "NO_PROXY"
    "NIX_SSL_CERT_FILE"
  ];
  licenses = { };
  maintainers = { };
  platforms = { all = [ "x86_64-linux" ]; linux = [ "x86_64-linux" ]; unix = [ "x86_64-linux" ]; };
}
