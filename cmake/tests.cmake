# Tests: tests/unit/test_*.c (one executable each), tests/*.sh and tests/*.py (against the command),
# the layer check, the cross build of the core, and tests/fuzz/fuzz_*.c.
#
# A script returns 77 to be counted as skipped. Files in tests/ whose name begins with lib or _ are
# helpers of the others; check_* are run below with arguments of their own.

# The first Python that has numpy, so that a private one in PATH does not hide the system's.
set(HK_PYTHON "")
foreach(candidate python3 /usr/bin/python3)
  find_program(python_path NAMES ${candidate} NO_CACHE)
  if(python_path)
    execute_process(COMMAND ${python_path} -c "import numpy" RESULT_VARIABLE no_numpy
      OUTPUT_QUIET ERROR_QUIET)
    if(NOT HK_PYTHON OR NOT no_numpy)
      set(HK_PYTHON ${python_path})
    endif()
    if(NOT no_numpy)
      break()
    endif()
  endif()
  unset(python_path)
endforeach()

# Passive waiting: several tests share the cores, and a spinning worker would hold one up.
set(test_environment
  HILLOCK=${CMAKE_BINARY_DIR}/hillock HILLOCK_SRC=${CMAKE_SOURCE_DIR} PYTHON=${HK_PYTHON}
  OMP_WAIT_POLICY=passive PYTHONDONTWRITEBYTECODE=1
  UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=ignore_noninstrumented_modules=1)
function(hk_test name label timeout)
  set(scratch ${CMAKE_BINARY_DIR}/scratch/${name})
  file(MAKE_DIRECTORY ${scratch})
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${scratch})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout} SKIP_RETURN_CODE 77
    ENVIRONMENT "${test_environment}")
endfunction()

# ---- unit tests ---------------------------------------------------------------------------------

hk_glob(unit_sources tests/unit/test_*.c)
if(unit_sources)
  pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()
foreach(source ${unit_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit)
  target_compile_options(${name} PRIVATE -UNDEBUG)
  target_link_libraries(${name} PRIVATE hk_flags libhillock PkgConfig::cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  hk_test(${name} unit 300 $<TARGET_FILE:${name}>)
endforeach()

# ---- scripts against the command ----------------------------------------------------------------

hk_glob(scripts tests/*.sh tests/*.py)
list(FILTER scripts EXCLUDE REGEX "/(check_|lib|_)[^/]*$")
if(NOT TARGET hillock)
  set(scripts "")
endif()
foreach(script ${scripts})
  get_filename_component(name ${script} NAME)
  if(script MATCHES "[.]py$")
    hk_test(${name} script 600 ${HK_PYTHON} ${script})
  else()
    hk_test(${name} script 600 bash ${script})
  endif()
endforeach()

# ---- structure ----------------------------------------------------------------------------------

hk_test(check_layers check 60 ${HK_PYTHON} ${CMAKE_SOURCE_DIR}/tests/check_layers.py
  ${CMAKE_SOURCE_DIR})
include(cmake/cross.cmake)

# ---- fuzz ---------------------------------------------------------------------------------------

# Ordinary builds compile the targets without linking them, so that they cannot rot.
hk_glob(fuzz_sources tests/fuzz/fuzz_*.c)
foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  if(HK_FUZZ)
    add_executable(${name} ${source})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name} PRIVATE hk_flags libhillock)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  else()
    add_library(${name} OBJECT ${source})
    target_link_libraries(${name} PRIVATE hk_flags hk_depends)
  endif()
endforeach()
