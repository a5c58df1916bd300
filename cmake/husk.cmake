# What the presets compile with, and the functions that the root CMakeLists.txt is written in.

set(HUSK_PRESET "" CACHE STRING "device or host")
set_property(CACHE HUSK_PRESET PROPERTY STRINGS device host)
if(NOT HUSK_PRESET MATCHES "^(device|host)$")
  message(FATAL_ERROR "configure with a preset: cmake --preset device or host")
endif()

if(DEFINED ENV{HUSK_BUILD})
  set(HUSK_TOOLCHAIN "$ENV{HUSK_BUILD}/toolchain")
else()
  set(HUSK_TOOLCHAIN "${CMAKE_SOURCE_DIR}/build/toolchain")
endif()
if(NOT EXISTS "${HUSK_TOOLCHAIN}/VERSIONS")
  message(FATAL_ERROR "there is no toolchain in '${HUSK_TOOLCHAIN}': run toolchain/bootstrap")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# --- flags -----------------------------------------------------------------------------------------------------------

# The device's debug information is whole; tests need lines for their reports, in a fifth less of build time.
if(HUSK_PRESET STREQUAL "device")
  add_compile_options(-g)
else()
  add_compile_options(-g1)
endif()
add_compile_options(-fstack-protector-strong)

# Of our own code; inih has its own warnings. Fields that a designated initializer leaves out have their defaults. For
# clang -Wconversion means signs too, and libstdc++ 12's own std::stable_sort calls what it deprecates.
set(HUSK_OWN_FLAGS
    -Wall -Wextra -Wshadow -Wconversion -Wvla -Werror -Wno-missing-field-initializers
    $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-designated-field-initializers;-Wno-sign-conversion;-Wno-deprecated-declarations>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions;-fno-rtti>)

# Reports end the program, so that a test cannot pass over one.
set(HUSK_SANITIZERS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

if(HUSK_PRESET STREQUAL "device")
  option(HUSK_LTO "optimise across files when linking" ON)
  add_compile_options(
      -Os -fPIE -ffunction-sections -fdata-sections -fvisibility=hidden
      -fno-unwind-tables -fno-asynchronous-unwind-tables
      $<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden>)
  # The rest of static-pie and of RELRO is in the compiler's specs, see toolchain/bootstrap.
  add_link_options(-Wl,--gc-sections -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,text -Wl,-z,pack-relative-relocs -Wl,--build-id)
  set(HUSK_LIBRARIES "${HUSK_TOOLCHAIN}/${HUSK_ARCH}")
elseif(HUSK_PRESET STREQUAL "host")
  # Not optimised: half of the build time of all tests, and the device preset warns of what only flow shows.
  add_compile_options(-O0 ${HUSK_SANITIZERS} -fsanitize=fuzzer-no-link
      "-fsanitize-ignorelist=${CMAKE_SOURCE_DIR}/toolchain/sanitizer-ignore.txt")
  add_link_options(${HUSK_SANITIZERS})
  set(HUSK_LIBRARIES "${HUSK_TOOLCHAIN}/host")
  # clang 19 refuses an assignment in RapidJSON 1.1 that nothing uses: a copy without it.
  file(COPY /usr/include/rapidjson DESTINATION "${CMAKE_BINARY_DIR}/include")
  file(READ "${CMAKE_BINARY_DIR}/include/rapidjson/document.h" rapidjson_text)
  string(REPLACE "{ s = rhs.s; length = rhs.length; }" "= delete;" rapidjson_text "${rapidjson_text}")
  file(WRITE "${CMAKE_BINARY_DIR}/include/rapidjson/document.h" "${rapidjson_text}")
  include_directories(BEFORE SYSTEM "${CMAKE_BINARY_DIR}/include")
endif()

# --- libraries that are not ours -------------------------------------------------------------------------------------

# Compiled by each preset, so that sanitizers and fuzzers see into it. The reader in config/ refuses what inih must not
# see; a line holds 4096 bytes, its newline and its NUL. Nothing is allocated.
add_library(inih STATIC "${HUSK_TOOLCHAIN}/src/inih/ini.c")
target_include_directories(inih SYSTEM PUBLIC "${HUSK_TOOLCHAIN}/src/inih")
target_compile_definitions(inih PUBLIC
    INI_HANDLER_LINENO=1
    INI_MAX_LINE=4098
    INI_USE_STACK=1
    INI_ALLOW_REALLOC=0
    INI_ALLOW_INLINE_COMMENTS=0
    INI_ALLOW_MULTILINE=0
    INI_STOP_ON_FIRST_ERROR=1
    INI_CALL_HANDLER_ON_NEW_SECTION=1)

add_library(seccomp STATIC IMPORTED)
set_target_properties(seccomp PROPERTIES
    IMPORTED_LOCATION "${HUSK_LIBRARIES}/lib/libseccomp.a"
    INTERFACE_INCLUDE_DIRECTORIES "${HUSK_LIBRARIES}/include"
    # The device's compiler has this folder already, in the only place that works: after the C++ headers.
    IMPORTED_NO_SYSTEM ON)
if(HUSK_PRESET STREQUAL "device")
  set_property(TARGET seccomp PROPERTY INTERFACE_INCLUDE_DIRECTORIES "")
endif()

# Of libsodium only the portable C that verifies Ed25519: its own build has no switch for that, and the linker drops what
# these files have besides.
if(HUSK_PRESET STREQUAL "device")
  set(sodium_folder "${HUSK_TOOLCHAIN}/src/libsodium/src/libsodium")
  set(sodium_sources crypto_sign/ed25519/ref10/open.c crypto_sign/ed25519/ref10/sign.c
      crypto_core/ed25519/ref10/ed25519_ref10.c crypto_hash/sha512/cp/hash_sha512_cp.c
      crypto_verify/sodium/verify.c sodium/utils.c)
  list(TRANSFORM sodium_sources PREPEND "${sodium_folder}/")
  add_library(sodium STATIC ${sodium_sources})
  target_include_directories(sodium SYSTEM PUBLIC "${sodium_folder}/include" PRIVATE "${sodium_folder}/include/sodium")
  target_compile_definitions(sodium PRIVATE CONFIGURED=1 HAVE_WEAK_SYMBOLS=1)
  if(CMAKE_SIZEOF_VOID_P EQUAL 8)
    target_compile_definitions(sodium PRIVATE HAVE_TI_MODE=1)  # numbers of 128 bits
  endif()
else()
  add_library(sodium INTERFACE)
  target_link_libraries(sodium INTERFACE -lsodium)
endif()

# crypt(3): libc's own in musl, a library beside glibc.
add_library(crypt INTERFACE)
if(HUSK_PRESET STREQUAL "host")
  target_link_libraries(crypt INTERFACE -lcrypt)
endif()

# --- functions -------------------------------------------------------------------------------------------------------

# husk_library(NAME [USES LIBRARY...]): the folder NAME as a library. A folder without sources yet is one of headers.
function(husk_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" USES)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${name}/*.cc")
  list(REMOVE_ITEM sources "${CMAKE_SOURCE_DIR}/cli/main.cc")
  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
    target_compile_options(${name} PRIVATE ${HUSK_OWN_FLAGS})
    # Read once instead of for each source: a fifth of the build time.
    target_precompile_headers(${name} PRIVATE
        <algorithm> <functional> <map> <memory> <optional> <string> <string_view> <utility> <vector>)
    husk_lto(${name})
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} "${CMAKE_SOURCE_DIR}")
  target_compile_definitions(${name} ${scope} "HUSK_VERSION=\"${PROJECT_VERSION}\"")
  target_link_libraries(${name} ${scope} ${arg_USES})
endfunction()

# The names of system calls, from the build machine's libseccomp, since the binary needs those of one architecture only,
# and their groups.
function(husk_syscall_table library)
  set(folder "${CMAKE_BINARY_DIR}/generated")
  set(program "${folder}/syscall-table")
  set(groups "${CMAKE_SOURCE_DIR}/base/syscall_groups.txt")
  set(arch "${HUSK_ARCH}")
  if(NOT arch)
    set(arch "${CMAKE_HOST_SYSTEM_PROCESSOR}")
  endif()
  file(MAKE_DIRECTORY "${folder}")
  add_custom_command(OUTPUT "${folder}/syscall_table.inc"
      COMMAND cc -O1 -Wall -Wextra -Werror "-I${HUSK_TOOLCHAIN}/host/include" -o "${program}"
          "${CMAKE_SOURCE_DIR}/toolchain/syscall_table.c" "${HUSK_TOOLCHAIN}/host/lib/libseccomp.a"
      COMMAND "${program}" "${arch}" "${groups}" > "${folder}/syscall_table.inc"
      DEPENDS "${CMAKE_SOURCE_DIR}/toolchain/syscall_table.c" "${groups}" "${HUSK_TOOLCHAIN}/host/lib/libseccomp.a"
      VERBATIM)
  target_sources(${library} PRIVATE "${folder}/syscall_table.inc")
  target_include_directories(${library} PRIVATE "${folder}")
endfunction()

# What runs between clone3 and execve stays out: toolchain/check-child-object reads the symbols of what is linked.
set(HUSK_CHILD_SOURCES container/child.cc container/reaper_loop.cc base/sys.cc)
list(TRANSFORM HUSK_CHILD_SOURCES PREPEND "${CMAKE_SOURCE_DIR}/" OUTPUT_VARIABLE HUSK_CHILD_FILES)
set_source_files_properties(${HUSK_CHILD_FILES} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
function(husk_lto target)
  if(NOT HUSK_PRESET STREQUAL "device" OR NOT HUSK_LTO)
    return()
  endif()
  # PID 1's loop is to lie together, apart from the rest: the kernel maps 64 KiB around each page that is touched, so code
  # strewn over the binary would make all of it resident.
  if(target STREQUAL "init")
    target_compile_options(init PRIVATE -O2 -fno-jump-tables -fno-tree-vectorize)
    return()
  endif()
  target_compile_options(${target} PRIVATE -flto=auto)
  set_source_files_properties(${HUSK_CHILD_FILES} PROPERTIES COMPILE_OPTIONS -fno-lto)
endfunction()

# husk_program(NAME SOURCE...): an executable of our own.
function(husk_program name)
  add_executable(${name} ${ARGN})
  target_compile_options(${name} PRIVATE ${HUSK_OWN_FLAGS})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
endfunction()

# The binary, stripped, with what a debugger needs next to it.
function(husk_binary)
  if(NOT EXISTS "${CMAKE_SOURCE_DIR}/cli/main.cc")
    return()
  endif()
  husk_program(husk cli/main.cc)
  husk_lto(husk)
  target_link_libraries(husk PRIVATE cli supervisor config container network rootfs init base)
  # The link-time optimiser makes code, and does not take all of these from the objects.
  target_link_options(husk PRIVATE -Wl,-Map=husk.map -Werror=odr
      -Os -fPIE -fno-exceptions -fno-unwind-tables -fno-asynchronous-unwind-tables -fstack-protector-strong)
  foreach(source IN LISTS HUSK_CHILD_SOURCES)
    cmake_path(GET source PARENT_PATH folder)
    list(APPEND child_objects "CMakeFiles/${folder}.dir/${source}.o")
  endforeach()
  add_custom_command(TARGET husk POST_BUILD
      COMMAND "${CMAKE_SOURCE_DIR}/toolchain/check-child-object" ${child_objects}
      COMMAND ${CMAKE_OBJCOPY} --only-keep-debug husk husk.debug
      COMMAND ${CMAKE_STRIP} --strip-all husk
      COMMAND ${CMAKE_OBJCOPY} --add-gnu-debuglink=husk.debug husk
      BYPRODUCTS husk.debug husk.map
      VERBATIM)
endfunction()

# husk_programs(FOLDER NAME name [USES LIBRARY...]): the folder as one program.
# husk_programs(FOLDER EACH [FOLDER out] [USES LIBRARY...]): each source of the folder as a program, built in out/.
function(husk_programs folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "EACH" "NAME;FOLDER" USES)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*.cc" "${CMAKE_SOURCE_DIR}/${folder}/*.c")
  if(arg_EACH)
    foreach(source IN LISTS sources)
      cmake_path(GET source STEM name)
      set(target ${name})
      if(arg_FOLDER)
        set(target ${arg_FOLDER}-${name})  # programs of two folders may share a name
      endif()
      husk_program(${target} ${source})
      set_target_properties(${target} PROPERTIES
          OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/${arg_FOLDER}")
      target_link_libraries(${target} PRIVATE ${arg_USES})
      target_link_options(${target} PRIVATE -s)
    endforeach()
  elseif(sources)
    husk_program(${arg_NAME} ${sources})
    target_link_libraries(${arg_NAME} PRIVATE ${arg_USES})
    target_link_options(${arg_NAME} PRIVATE -s)
  endif()
endfunction()

# tests/unit/*_test.cc as one program of GoogleTest.
function(husk_unit_tests)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/unit/*.cc")
  if(NOT sources)
    return()
  endif()
  find_package(GTest REQUIRED)
  add_executable(unit_tests ${sources})
  # Without RTTI like the libraries, or a fake of one of their interfaces would look for its type there.
  target_compile_options(unit_tests PRIVATE -Wall -Wextra -Wno-missing-field-initializers -Werror -fno-rtti)
  # Read once instead of for each of them: a third of the time that a small test takes to compile.
  target_precompile_headers(unit_tests PRIVATE <gtest/gtest.h> <algorithm> <map> <optional> <string> <vector>)
  # Only there, so that a compiler cache knows the others from other trees.
  set_source_files_properties("${CMAKE_SOURCE_DIR}/tests/unit/source_file.cc" PROPERTIES
      COMPILE_DEFINITIONS "HUSK_SOURCE_DIR=\"${CMAKE_SOURCE_DIR}\"")
  target_link_libraries(unit_tests PRIVATE cli init supervisor config container network rootfs base seccomp GTest::gtest_main)
  add_test(NAME unit_tests COMMAND unit_tests)
  set_tests_properties(unit_tests PROPERTIES WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")

  # The lifecycle's walk once more, with what it walks through compiled for speed: ten million steps in seconds.
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/supervisor/lifecycle*.cc")
  list(APPEND sources supervisor/exit_info.cc supervisor/order.cc supervisor/record.cc
      tests/unit/lifecycle_world.cc "${CMAKE_SOURCE_DIR}/tests/unit/source_file.cc"
      tests/unit/supervisor_lifecycle_model_test.cc)
  add_executable(lifecycle_model ${sources})
  target_compile_options(lifecycle_model PRIVATE -Wall -Wextra -Wno-missing-field-initializers -Werror -fno-rtti
      -O1 -fno-sanitize=all)
  target_link_libraries(lifecycle_model PRIVATE supervisor config container network rootfs base GTest::gtest_main)
endfunction()

# tests/fuzz/*_fuzzer.cc, one program each.
function(husk_fuzzers)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzzer.cc")
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    husk_program(${name} ${source})
    target_link_libraries(${name} PRIVATE cli init supervisor config container network rootfs base)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
endfunction()
