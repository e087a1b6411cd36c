# Writes the source that embeds FILES, and the table that finds them. Called by service/CMakeLists.txt
# with OUT_CC, OUT_INC and FILES ("path|file" pairs, commas between).
string(REPLACE "," ";" FILES "${FILES}")
set(assembly "  .pushsection .rodata\n")
set(declarations "")
set(table "")
set(index 0)
foreach(pair IN LISTS FILES)
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 path)
  list(GET pair 1 file)
  set(name "sluice_asset_${index}")
  string(APPEND assembly
    "  .global ${name}_begin\n  .global ${name}_end\n  .balign 16\n"
    "${name}_begin:\n  .incbin \"${file}\"\n${name}_end:\n  .byte 0\n")
  string(APPEND declarations "extern const char ${name}_begin[];\nextern const char ${name}_end[];\n")
  string(APPEND table "entry(\"${path}\", ${name}_begin, ${name}_end), ")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND assembly "  .popsection\n")
file(WRITE ${OUT_CC} "// Made by embed.cmake.\n__asm__(R\"asm(\n${assembly})asm\");\n")
file(WRITE ${OUT_INC}
  "// Made by embed.cmake.\nextern \"C\" {\n${declarations}}\n#define SLUICE_ASSETS ${table}\n")
