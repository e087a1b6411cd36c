cmake_minimum_required(VERSION 3.25)
# The include rules of docs/architecture.md. ROOT is the tree to look at.

# Which of our folders each folder may include with quotes, itself apart. Not named: none.
# "sluice" stands for the public headers in engine/include/sluice/.
set(may_include_engine rdb net storage sluice)
set(may_include_tools sluice)
set(may_include_tests rdb net storage engine sluice)
set(may_include_bench rdb net storage engine sluice)

# Libraries each folder must not include with angle brackets (regular expressions).
set(must_not_include_rdb "boost/|liburing|openssl/|lz4|sys/socket|netinet/|thread>|iostream>|fstream>")
set(must_not_include_net "liburing|lz4|xxhash|iostream>|boost/asio.hpp")
set(must_not_include_storage "boost/asio|boost/beast|netinet/|sys/socket|iostream>")
set(must_not_include_engine "liburing|iostream>|boost/asio.hpp|CLI/")
set(must_not_include_tools "boost/|liburing|openssl/|lz4|xxhash")

set(bad "")
foreach(folder IN ITEMS rdb net storage engine tools tests bench)
  file(GLOB_RECURSE files ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cc)
  list(FILTER files EXCLUDE REGEX "^${ROOT}/tests/layering_violation/")
  foreach(file IN LISTS files)
    file(RELATIVE_PATH name ${ROOT} ${file})
    file(STRINGS ${file} includes REGEX "^#include [<\"]")
    foreach(line IN LISTS includes)
      if(line MATCHES "^#include \"([a-z_]+)/")
        if(NOT CMAKE_MATCH_1 STREQUAL folder AND NOT CMAKE_MATCH_1 IN_LIST may_include_${folder})
          list(APPEND bad "${name}: ${line}")
        endif()
      elseif(DEFINED must_not_include_${folder} AND line MATCHES "<(${must_not_include_${folder}})")
        list(APPEND bad "${name}: ${line}")
      endif()
      # The public API must be usable without any of our layers or their libraries.
      if(name MATCHES "^engine/include/" AND line MATCHES "\"(rdb|net|storage|engine)/|<(boost|fmt|spdlog|liburing)")
        list(APPEND bad "${name}: ${line}")
      endif()
    endforeach()
  endforeach()
endforeach()
if(bad)
  list(SORT bad)
  list(JOIN bad "\n" text)
  message(FATAL_ERROR "includes that cross a border the wrong way:\n${text}")
endif()
