# Reads what callgrind wrote and prints `total broker`: all instructions, and those of the broker and the store in memory
# with everything that they call. With -v profile=1 also `self COST PLACE`: by source file, inlined code included; what
# the standard library inlines counts for the function around it.

function name(text,   id) {
  match(text, /^\([0-9]+\)/)
  id = substr(text, RSTART, RLENGTH)
  if (length(text) > RLENGTH) names[kind id] = substr(text, RLENGTH + 2)
  return names[kind id]
}
function in_memory(what) { return what ~ /::kafka::memory::|::store::memory::/ }

/^(fl|fi|fe)=/ { kind = "file"; file = name(substr($0, 4)); if (/^fl/) home = file; next }
/^cf[il]=/     { kind = "file"; name(substr($0, 5)); next }
/^c?ob=/       { next }
/^fn=/         { kind = "function"; caller = name(substr($0, 4)); file = home; next }
/^cfn=/        { kind = "function"; callee = name(substr($0, 5)); next }
/^calls=/      { getline; if (in_memory(callee) && !in_memory(caller)) broker += $2; next }
/^[0-9+*-]/ && NF == 2 {
  total += $2
  if (profile) {
    place = file ~ /^\/rustc\// ? home : file
    self[place ~ /^(\/rustc\/|[^\/]|.*\/(libc|string|nptl|sysdeps|csu|malloc)\/)/ ? caller : place] += $2
  }
}
END {
  print total, broker + 0
  for (place in self) print "self", self[place], place
}
